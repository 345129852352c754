-- { customers(first: 10) { nodes { contactPoints { channel value } tags } } }
-- 3 statements

-- customers
SELECT t.id::text AS id
FROM crm_customer AS t
WHERE t.merged_into_id IS NULL
ORDER BY t.sort_name COLLATE "C", t.id
LIMIT 10;

-- customers.nodes.contactPoints
SELECT t.id::text AS id, t.channel, t.value, t.customer_id::text AS _parent
FROM crm_contact_point AS t
WHERE t.customer_id = ANY(?)  ORDER BY t.position, t.id;

-- customers.nodes.tags
SELECT customer_id, tag
FROM crm_customer_tag
WHERE customer_id = ANY(?);
