-- { books(first: 10, filter: {title: {in: ["T100-001", "T300-002"]}, lent: {eq: true}}) {
--   nodes { title } } }
-- 1 statement

-- books
SELECT '{"title":' || to_json(t.title COLLATE "C")::text || '}' AS _json
FROM lib_book AS t
WHERE (t.title IN (?, ?)) AND (t.lent = ?)
ORDER BY t.id
LIMIT 10;
