-- { customers { totalCount } }
-- 1 statement

-- customers
SELECT COUNT(*) AS n
FROM crm_customer AS t
WHERE t.merged_into_id IS NULL;
