-- SPDX-License-Identifier: MIT
pragma journal_mode = wal;
pragma synchronous = off;
pragma cache_size = 500;
pragma threads = 2;
.mode list
create table item (id integer primary key, name text, amount real, kind int, body blob);
with recursive n (i) as (select 1 union all select i + 1 from n where i < 60000)
	insert into item select i, printf('item %07d', i * 7919 % 60013), i * 31 % 10007 / 7.0, i % 97, zeroblob(i % 400) from n;
create index by_name on item (name);
create index by_kind on item (kind, amount desc);
create virtual table word using fts5 (text);
insert into word select group_concat('word' || (id * 17 % 1009), ' ') from item group by id / 20;
insert into word (word) values ('optimize');
analyze;

select kind, count(*), printf('%.4f', sum(amount)), min(name), sum(length(body)) from item group by kind order by kind;
select count(*) from word where word match 'word17 OR word404 NOT word5';
select id, name, rank() over (partition by kind order by amount desc, id), lag(name, 3) over (order by id)
	from item where id % 500 = 0 order by id;
select name from item order by substr(name, 9), id limit 10 offset 30000;
select count(*) from (select a.id from item a join item b on a.name = b.name where a.kind < b.kind + 5 order by b.body, a.id);
select json_group_array(json_object('id', id, 'name', name)) from item where id < 40;
select sum(json_extract(json_object('a', json_array(id, kind, name)), '$.a[1]')) from item;
with recursive
	x (v) as (values (-2.0) union all select v + 0.08 from x where v < 1.2),
	y (v) as (values (-1.0) union all select v + 0.1 from y where v < 1.0),
	m (step, cx, cy, x, y) as (
		select 0, x.v, y.v, 0.0, 0.0 from x, y
		union all
		select step + 1, cx, cy, x * x - y * y + cx, 2.0 * x * y + cy from m where x * x + y * y < 4.0 and step < 60
	),
	a (t) as (select group_concat(substr(' .+*#', 1 + min(n / 14, 4), 1), '') from
		(select max(step) as n, cx, cy from m group by cy, cx order by cy, cx) group by cy)
select group_concat(rtrim(t), x'0a') from a;
begin;
update item set body = zeroblob(3000) where kind = 5;
savepoint s;
delete from item where kind = 7;
rollback to s;
commit;
delete from item where kind in (11, 13, 17);
create table copy as select * from item order by body, name;
drop table copy;
create trigger note after update on item begin insert into word values ('changed ' || new.id); end;
update item set amount = amount + 1 where kind = 19;
select count(*) from word where word match 'changed';
vacuum;
pragma integrity_check;
pragma wal_checkpoint(truncate);
