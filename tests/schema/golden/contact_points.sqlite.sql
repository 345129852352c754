-- { customers(first: 10) { nodes { contactPoints { channel value } tags } } }
-- 3 statements

-- customers
SELECT t.id
FROM crm_customer AS t
WHERE t.merged_into_id IS NULL
ORDER BY t.sort_name, t.id
LIMIT ?;

-- customers.nodes.contactPoints
SELECT t.id, t.channel, t.value, t.customer_id AS _parent
FROM crm_contact_point AS t
WHERE t.customer_id IN (SELECT value
  FROM json_each(?))  ORDER BY t.position NULLS LAST, t.id;

-- customers.nodes.tags
SELECT customer_id, tag
FROM crm_customer_tag
WHERE customer_id IN (SELECT value
  FROM json_each(?));
