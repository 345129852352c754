-- query ($after: String) { customers(first: 10, after: $after, orderBy: [{field: CITY}]) { nodes { name } } }
-- 1 statement

-- customers
SELECT '{"name":' || to_json(t.name COLLATE "C")::text || '}' AS _json
FROM crm_customer AS t
WHERE (t.merged_into_id IS NULL) AND (((t.city COLLATE "C", t.id) > (?, ?)) OR (t.city COLLATE "C" IS NULL))
ORDER BY t.city COLLATE "C", t.id
LIMIT 10;
