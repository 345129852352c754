-- { customers(first: 10, filter: {tags: {any: ["tag 7", "tag 8"]}}) { nodes { name } } }
-- 1 statement

-- customers
SELECT '{"name":' || to_json(t.name COLLATE "C")::text || '}' AS _json
FROM crm_customer AS t
WHERE (EXISTS (SELECT 1
    FROM crm_customer_tag AS g
    WHERE g.customer_id = t.id AND g.tag IN (?, ?))) AND (t.merged_into_id IS NULL)
ORDER BY t.sort_name COLLATE "C", t.id
LIMIT 10;
