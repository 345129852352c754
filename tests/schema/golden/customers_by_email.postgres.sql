-- { customers(first: 10, filter: {email: {eq: "c7@example.com"}}) { nodes { name } } }
-- 1 statement

-- customers
SELECT '{"name":' || to_json(t.name COLLATE "C")::text || '}' AS _json
FROM crm_customer AS t
WHERE (t.email = ?) AND (t.merged_into_id IS NULL)
ORDER BY t.sort_name COLLATE "C", t.id
LIMIT 10;
