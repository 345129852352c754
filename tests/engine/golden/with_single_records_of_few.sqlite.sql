-- { books(first: 10, orderBy: [{field: YEAR}], filter: {lent: {eq: true}}) {
--   nodes { title best { stars } } } }
-- 1 statement

-- books
SELECT x.id, x.title, j0.id AS _j0_id, j0.stars AS _j0_stars
FROM (SELECT t.id, t.title, t.year AS _o0, t.id AS _o1
  FROM lib_book AS t
  WHERE t.lent = ?
  ORDER BY t.year NULLS LAST, t.id
  LIMIT ?) AS x LEFT JOIN lib_review AS j0 ON j0.rowid = (SELECT t.rowid
  FROM lib_review AS t
  WHERE t.book_id = x.id AND (1 = 1)
  ORDER BY t.stars DESC NULLS FIRST, t.id DESC
  LIMIT 1)
ORDER BY _o0 NULLS LAST, _o1;
