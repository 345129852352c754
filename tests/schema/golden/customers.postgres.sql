-- { customers(first: 10) { nodes { name email } } }
-- 1 statement

-- customers
SELECT '{"name":' || to_json(t.name COLLATE "C")::text || ',"email":' || coalesce(to_json(t.email COLLATE "C")::text, 'null') || '}' AS _json
FROM crm_customer AS t
WHERE t.merged_into_id IS NULL
ORDER BY t.sort_name COLLATE "C", t.id
LIMIT 10;
