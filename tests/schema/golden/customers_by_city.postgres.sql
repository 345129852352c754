-- { customers(first: 10, orderBy: [{field: CITY}]) { nodes { name } } }
-- 1 statement

-- customers
SELECT '{"name":' || to_json(t.name COLLATE "C")::text || '}' AS _json
FROM crm_customer AS t
WHERE t.merged_into_id IS NULL
ORDER BY t.city COLLATE "C", t.id
LIMIT 10;
