-- query ($after: String) { customers(first: 10, after: $after, orderBy: [{field: NAME}]) { nodes { name } } }
-- 1 statement

-- customers
SELECT '{"name":' || to_json(t.name COLLATE "C")::text || '}' AS _json
FROM crm_customer AS t
WHERE (t.merged_into_id IS NULL) AND ((t.sort_name COLLATE "C", t.id) > (?, ?))
ORDER BY t.sort_name COLLATE "C", t.id
LIMIT 10;
