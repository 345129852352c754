-- query ($after: String) { books(first: 10, after: $after,
--   orderBy: [{field: TITLE, direction: DESC}, {field: YEAR}]) { nodes { title } } }
-- 1 statement

-- books
SELECT '{"title":' || to_json(t.title COLLATE "C")::text || '}' AS _json
FROM lib_book AS t
WHERE (t.title COLLATE "C" <= ?) AND ((t.title COLLATE "C" < ?) OR ((t.title COLLATE "C" = ?) AND (((t.year, t.id) > (?::bigint, ?)) OR (t.year IS NULL))))
ORDER BY t.title COLLATE "C" DESC, t.year, t.id
LIMIT 10;
