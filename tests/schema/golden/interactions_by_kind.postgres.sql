-- { interactions(first: 10, orderBy: [{field: KIND}]) { nodes { subject } } }
-- 1 statement

-- interactions
SELECT t.id::text AS id, t.subject
FROM crm_interaction AS t
WHERE 1 = 1
ORDER BY t.kind COLLATE "C", t.id
LIMIT ?;
