-- query ($after: String) { books(first: 10, after: $after, orderBy: [{field: TITLE}]) {
--   nodes { title best { stars } } pageInfo { endCursor } } }
-- 1 statement

-- books
SELECT x.id, x.title, j0.id AS _j0_id, j0.stars AS _j0_stars, x._o0, x._o1
FROM (SELECT t.id, t.title, t.title AS _o0, t.id AS _o1
  FROM lib_book AS t
  WHERE (t.title, t.id) > (?, ?)) AS x LEFT JOIN lib_review AS j0 ON j0.rowid = (SELECT t.rowid
  FROM lib_review AS t
  WHERE t.book_id = x.id AND (1 = 1)
  ORDER BY t.stars DESC NULLS FIRST, t.id DESC
  LIMIT 1)
ORDER BY _o0, _o1
LIMIT ?;
