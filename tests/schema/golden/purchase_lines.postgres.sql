-- { interactions(first: 10) { nodes { lines { sku amount { amount } } } } }
-- 1 statement

-- interactions
SELECT t.id::text AS id, t.currency
FROM crm_interaction AS t
WHERE 1 = 1
ORDER BY t.occurred_at DESC, t.id DESC
LIMIT 10;
