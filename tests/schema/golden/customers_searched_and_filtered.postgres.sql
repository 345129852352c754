-- { customers(first: 10, search: "01500", filter: {stage: {eq: PROSPECT}}) { nodes { name } } }
-- 1 statement

-- customers
SELECT '{"name":' || to_json(t.name COLLATE "C")::text || '}' AS _json
FROM crm_customer AS t
WHERE ((to_tsvector('simple', t.search_text) @@ to_tsquery('simple', ?)) AND (t.stage = ?)) AND (t.merged_into_id IS NULL)
ORDER BY t.sort_name COLLATE "C", t.id
LIMIT 10;
