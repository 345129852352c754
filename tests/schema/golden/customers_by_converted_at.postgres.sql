-- { customers(first: 10, orderBy: [{field: CONVERTED_AT, direction: DESC}]) { nodes { name } } }
-- 1 statement

-- customers
SELECT '{"name":' || to_json(t.name COLLATE "C")::text || '}' AS _json
FROM crm_customer AS t
WHERE t.merged_into_id IS NULL
ORDER BY t.converted_at DESC, t.id DESC
LIMIT 10;
