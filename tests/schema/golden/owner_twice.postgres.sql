-- { customers(first: 10) { nodes { a: owner { name } b: owner { email } } } }
-- 2 statements

-- customers
SELECT t.id::text AS id, t.owner_id
FROM crm_customer AS t
WHERE t.merged_into_id IS NULL
ORDER BY t.sort_name COLLATE "C", t.id
LIMIT 10;

-- customers.nodes.a
SELECT t.id::text AS id, t.name, t.email
FROM crm_staff AS t
WHERE t.id = ANY(?);
