-- { books(first: 10, orderBy: [{field: YEAR}], filter: {lent: {eq: true}}) {
--   nodes { title best { stars } } } }
-- 1 statement

-- books
SELECT '{"title":' || to_json(t.title COLLATE "C")::text || ',"best":' || CASE WHEN n0.number IS NULL THEN 'null' ELSE n0.lines END || '}' AS _json, coalesce(n0.number, 0) AS number, coalesce(n0.number, 0) AS objects
FROM (SELECT t.*, t.year AS _o0, t.id AS _o1
  FROM lib_book AS t
  WHERE t.lent = ?
  ORDER BY t.year, t.id
  LIMIT 10) AS t
CROSS JOIN LATERAL (SELECT t.id) AS g(_parent) LEFT JOIN LATERAL (SELECT 1 AS number, '{"stars":' || CASE WHEN t.stars BETWEEN -2147483648 AND 2147483647 THEN (t.stars & -1)::text END || '}' AS lines
  FROM lib_review AS t
  WHERE t.book_id = g._parent AND (1 = 1)
  ORDER BY t.stars DESC, t.id DESC
  LIMIT 1) AS n0 ON TRUE
ORDER BY _o0, _o1;
