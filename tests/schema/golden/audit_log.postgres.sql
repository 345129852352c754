-- { auditLog(first: 10) { nodes { action } } }
-- 1 statement

-- auditLog
SELECT '{"action":' || to_json(t.action COLLATE "C")::text || '}' AS _json
FROM crm_audit AS t
WHERE 1 = 1
ORDER BY t.id DESC, t.id DESC
LIMIT 10;
