-- { interactions(first: 10, orderBy: [{field: FOLLOW_UP_AT}]) { nodes { subject } } }
-- 1 statement

-- interactions
SELECT t.id::text AS id, t.subject
FROM crm_interaction AS t
WHERE 1 = 1
ORDER BY t.follow_up_at, t.id
LIMIT ?;
