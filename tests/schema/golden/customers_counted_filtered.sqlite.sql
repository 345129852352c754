-- { customers(filter: {city: {eq: "City 20"}}) { totalCount } }
-- 1 statement

-- customers
SELECT COUNT(*) AS n
FROM crm_customer AS t
WHERE (t.city = ?) AND (t.merged_into_id IS NULL);
