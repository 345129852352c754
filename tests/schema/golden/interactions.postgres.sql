-- { interactions(first: 10) { nodes { kind customer { name } } } }
-- 2 statements

-- interactions
SELECT t.id::text AS id, t.kind, t.customer_id
FROM crm_interaction AS t
WHERE 1 = 1
ORDER BY t.occurred_at DESC, t.id DESC
LIMIT 10;

-- interactions.nodes.customer
SELECT t.id::text AS id, t.name
FROM crm_customer AS t
WHERE (t.id = ANY(?)) AND (t.merged_into_id IS NULL);
