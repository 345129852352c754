-- { customers(first: 10) { nodes { owner { name } } } }
-- 2 statements

-- customers
SELECT t.id, t.owner_id
FROM crm_customer AS t
WHERE t.merged_into_id IS NULL
ORDER BY t.sort_name, t.id
LIMIT ?;

-- customers.nodes.owner
SELECT t.id, t.name
FROM crm_staff AS t
WHERE t.id IN (SELECT value
  FROM json_each(?));
