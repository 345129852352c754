-- { customers(first: 10) { nodes { interactions { totalCount } } } }
-- 2 statements

-- customers
SELECT t.id
FROM crm_customer AS t
WHERE t.merged_into_id IS NULL
ORDER BY t.sort_name, t.id
LIMIT ?;

-- customers.nodes.interactions
SELECT t.customer_id, COUNT(*) AS n
FROM crm_interaction AS t
WHERE t.customer_id IN (SELECT value
  FROM json_each(?))
GROUP BY t.customer_id;
