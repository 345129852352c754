-- { books(first: 10, search: "-003", orderBy: [{field: TITLE}], filter: {year: {gt: 1900}}) {
--   nodes { title } } }
-- 1 statement

-- books
SELECT '{"title":' || to_json(t.title COLLATE "C")::text || '}' AS _json
FROM lib_book AS t
WHERE (t.title LIKE ?) AND (t.year > ?)
ORDER BY t.title COLLATE "C", t.id
LIMIT 10;
