-- { books(first: 10, search: "-003", orderBy: [{field: TITLE}], filter: {year: {gt: 1900}}) {
--   nodes { title } } }
-- 1 statement

-- books
SELECT t.id, t.title
FROM lib_book AS t
WHERE (t.title LIKE ?) AND ((t.year > ?) IS TRUE)
ORDER BY t.title, t.id
LIMIT ?;
