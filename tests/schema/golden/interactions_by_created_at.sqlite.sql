-- { interactions(first: 10, orderBy: [{field: CREATED_AT}]) { nodes { subject } } }
-- 1 statement

-- interactions
SELECT t.id, t.subject
FROM crm_interaction AS t
WHERE 1 = 1
ORDER BY t.created_at, t.id
LIMIT ?;
