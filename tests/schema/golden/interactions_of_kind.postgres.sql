-- { interactions(first: 10, filter: {kind: {eq: "call"}}) { nodes { subject } } }
-- 1 statement

-- interactions
SELECT '{"subject":' || coalesce(to_json(t.subject COLLATE "C")::text, 'null') || '}' AS _json
FROM crm_interaction AS t
WHERE t.kind = ?
ORDER BY t.occurred_at DESC, t.id DESC
LIMIT 10;
