-- { customers(first: 10) { nodes { a: owner { name } b: owner { email } } } }
-- 2 statements

-- customers
SELECT t.id, t.owner_id
FROM crm_customer AS t
WHERE t.merged_into_id IS NULL
ORDER BY t.sort_name, t.id
LIMIT ?;

-- customers.nodes.a
SELECT t.id, t.name, t.email
FROM crm_staff AS t
WHERE t.id IN (SELECT value
  FROM json_each(?));
