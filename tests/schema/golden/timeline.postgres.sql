-- { customers(first: 10) { nodes { timeline(first: 3) { nodes { title interaction { kind } } } } } }
-- 2 statements

-- customers
SELECT t.id::text AS id
FROM crm_customer AS t
WHERE t.merged_into_id IS NULL
ORDER BY t.sort_name COLLATE "C", t.id
LIMIT 10;

-- customers.nodes.timeline.nodes.interaction
SELECT t.id::text AS id, t.kind
FROM crm_interaction AS t
WHERE t.id = ANY(?);

-- past the engine
SELECT p.id, p.customer_id, p.kind, p.occurred_at, p.subject, p.channel, p.direction, p.outcome, p.sentiment, p.total_minor, p.currency, p.staff_id FROM unnest(CAST(CAST(? AS text[]) AS uuid[])) c (customer) CROSS JOIN LATERAL (SELECT * FROM crm_interaction WHERE customer_id = c.customer ORDER BY occurred_at DESC, id DESC LIMIT 4) p ORDER BY p.occurred_at DESC, p.id DESC;
