-- { customers(first: 10) { nodes { interactions(first: 3) { nodes { kind occurredAt } } } } }
-- 1 statement

-- customers
SELECT '{"interactions":{"nodes":[' || CASE WHEN n0.number IS NULL THEN '' ELSE n0.lines END || ']}}' AS _json, coalesce(n0.number, 0) AS number, 1 + coalesce(n0.number, 0) AS objects
FROM (SELECT t.*, t.sort_name COLLATE "C" AS _o0, t.id AS _o1
  FROM crm_customer AS t
  WHERE t.merged_into_id IS NULL
  ORDER BY t.sort_name COLLATE "C", t.id
  LIMIT 10) AS t
CROSS JOIN LATERAL (SELECT t.id) AS g(_parent) LEFT JOIN LATERAL (SELECT count(*) AS number, CASE WHEN count(x._json) = count(*) THEN coalesce(string_agg(x._json, ','), '') END AS lines
  FROM (SELECT '{"kind":' || to_json(t.kind COLLATE "C")::text || ',"occurredAt":' || CASE WHEN pg_typeof(t.occurred_at) = 'timestamptz'::regtype AND t.occurred_at >= timestamptz '0001-01-01 00:00:00+00' AND t.occurred_at < timestamptz '10000-01-01 00:00:00+00' THEN '"' || replace(to_char(t.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z') || '"' END || '}' AS _json
    FROM crm_interaction AS t
    WHERE t.customer_id = g._parent AND (1 = 1)
    ORDER BY t.occurred_at DESC, t.id DESC
    LIMIT 3) AS x) AS n0 ON TRUE
ORDER BY _o0 COLLATE "C", _o1;
