-- { writers(first: 10) { nodes { catalogue(first: 2) { nodes { title } } } } }
-- 1 statement

-- writers
SELECT '{"catalogue":{"nodes":[' || CASE WHEN n0.number IS NULL THEN '' ELSE n0.lines END || ']}}' AS _json, coalesce(n0.number, 0) AS number, 1 + coalesce(n0.number, 0) AS objects
FROM (SELECT t.*, t.id AS _o0
  FROM lib_author AS t
  WHERE 1 = 1
  ORDER BY t.id
  LIMIT 10) AS t
CROSS JOIN LATERAL (SELECT t.id) AS g(_parent) LEFT JOIN LATERAL (SELECT count(*) AS number, CASE WHEN count(x._json) = count(*) THEN coalesce(string_agg(x._json, ','), '') END AS lines
  FROM (SELECT '{"title":' || to_json(t.title COLLATE "C")::text || '}' AS _json
    FROM lib_book AS t
    WHERE t.author_id = g._parent AND (1 = 1)
    ORDER BY t.published_at DESC, t.id DESC
    LIMIT 2) AS x) AS n0 ON TRUE
ORDER BY _o0;
