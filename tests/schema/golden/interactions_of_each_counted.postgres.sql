-- { customers(first: 10) { nodes { interactions { totalCount } } } }
-- 2 statements

-- customers
SELECT t.id::text AS id
FROM crm_customer AS t
WHERE t.merged_into_id IS NULL
ORDER BY t.sort_name COLLATE "C", t.id
LIMIT 10;

-- customers.nodes.interactions
SELECT t.customer_id, COUNT(*) AS n
FROM crm_interaction AS t
WHERE t.customer_id = ANY(?)
GROUP BY t.customer_id;
