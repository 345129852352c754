-- query ($id: ID!) { auditLog(first: 10, filter: {customer: {eq: $id}}) { nodes { action } } }
-- 2 statements

-- auditLog
SELECT asked.id AS asked, COALESCE(asked.merged_into_id, asked.id) AS one
FROM crm_customer AS asked
WHERE asked.id = ANY(?)
UNION ALL SELECT asked.id, loser.id
FROM crm_customer AS asked JOIN crm_customer AS loser ON loser.merged_into_id = COALESCE(asked.merged_into_id, asked.id)
WHERE asked.id = ANY(?);

-- auditLog
SELECT '{"action":' || to_json(t.action COLLATE "C")::text || '}' AS _json
FROM crm_audit AS t
WHERE t.customer_id IN (?, ?)
ORDER BY t.id DESC, t.id DESC
LIMIT 10;
