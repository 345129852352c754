-- { interactions(first: 10, orderBy: [{field: FOLLOW_UP_AT}]) { nodes { subject } } }
-- 1 statement

-- interactions
SELECT '{"subject":' || coalesce(to_json(t.subject COLLATE "C")::text, 'null') || '}' AS _json
FROM crm_interaction AS t
WHERE 1 = 1
ORDER BY t.follow_up_at, t.id
LIMIT 10;
