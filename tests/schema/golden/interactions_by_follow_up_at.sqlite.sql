-- { interactions(first: 10, orderBy: [{field: FOLLOW_UP_AT}]) { nodes { subject } } }
-- 1 statement

-- interactions
SELECT t.id, t.subject
FROM crm_interaction AS t
WHERE 1 = 1
ORDER BY t.follow_up_at NULLS LAST, t.id
LIMIT ?;
