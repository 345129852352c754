-- { auditLog(first: 10) { nodes { action } } }
-- 1 statement

-- auditLog
SELECT t.id::text AS id, t.action
FROM crm_audit AS t
WHERE 1 = 1
ORDER BY t.id DESC, t.id DESC
LIMIT ?;
