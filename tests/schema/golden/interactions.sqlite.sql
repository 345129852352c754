-- { interactions(first: 10) { nodes { kind customer { name } } } }
-- 2 statements

-- interactions
SELECT t.id, t.kind, t.customer_id
FROM crm_interaction AS t
WHERE 1 = 1
ORDER BY t.occurred_at DESC, t.id DESC
LIMIT ?;

-- interactions.nodes.customer
SELECT t.id, t.name
FROM crm_customer AS t
WHERE (t.id IN (SELECT value
    FROM json_each(?))) AND (t.merged_into_id IS NULL);
