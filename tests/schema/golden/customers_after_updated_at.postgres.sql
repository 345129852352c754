-- query ($after: String) { customers(first: 10, after: $after, orderBy: [{field: UPDATED_AT, direction: DESC}]) { nodes { name } } }
-- 1 statement

-- customers
SELECT '{"name":' || to_json(t.name COLLATE "C")::text || '}' AS _json
FROM crm_customer AS t
WHERE (t.merged_into_id IS NULL) AND ((t.updated_at, t.id) < (?, ?))
ORDER BY t.updated_at DESC, t.id DESC
LIMIT 10;
