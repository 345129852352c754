-- query ($after: String) { books(first: 10, after: $after,
--   orderBy: [{field: TITLE, direction: DESC}, {field: YEAR}]) { nodes { title } } }
-- 1 statement

-- books
SELECT t.id, t.title
FROM lib_book AS t
WHERE (t.title <= ?) AND ((t.title < ?) OR ((t.title = ?) AND (((t.year, t.id) > (?, ?)) OR (t.year IS NULL))))
ORDER BY t.title DESC, t.year NULLS LAST, t.id
LIMIT ?;
