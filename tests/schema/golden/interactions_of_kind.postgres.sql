-- { interactions(first: 10, filter: {kind: {eq: "call"}}) { nodes { subject } } }
-- 1 statement

-- interactions
SELECT t.id::text AS id, t.subject
FROM crm_interaction AS t
WHERE t.kind = ?
ORDER BY t.occurred_at DESC, t.id DESC
LIMIT ?;
