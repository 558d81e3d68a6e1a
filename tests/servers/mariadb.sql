-- SPDX-License-Identifier: MIT
-- Statements with answers that depend on nothing but themselves; mariadb.sh compares them.
create table customers (
	id int primary key, name varchar(60), city varchar(30), note text, details json,
	key by_city (city), fulltext key by_note (note)
) engine=InnoDB;
create table orders (
	id int primary key, customer int, amount decimal(12, 2), ordered date, payload longblob,
	key by_customer (customer, ordered), foreign key (customer) references customers (id)
) engine=InnoDB;

insert into customers
	select seq, concat('customer ', seq), concat('city ', seq % 37), repeat(concat('word', seq % 101, ' '), 1 + seq % 40),
		json_object('number', seq, 'tags', json_array(seq % 3, seq % 5, md5(seq)))
	from seq_1_to_2000;
insert into orders
	select seq, 1 + seq * 7919 % 2000, seq * 31 % 10007 / 7, date_add('2020-01-01', interval seq % 1000 day),
		repeat(md5(seq), seq % 53)
	from seq_1_to_8000;

select city, count(*), sum(amount), min(ordered), max(length(payload))
	from customers join orders on orders.customer = customers.id group by city order by sum(amount) desc, city limit 20;
select id, amount, rank() over (partition by year(ordered) order by amount desc, id) as place
	from orders order by place, id limit 15;
with recursive tree (id, depth) as (
	select 1, 0 union all select tree.id * 2 + s.seq, depth + 1 from tree join seq_0_to_1 s where depth < 12
) select depth, count(*), sum(id) from tree group by depth order by depth;
select count(*) from customers where match (note) against ('+word17' in boolean mode);
select json_value(details, '$.tags[1]') as tag, count(*), md5(group_concat(id order by id)) from customers
	group by tag order by tag;
select md5(group_concat(regexp_replace(name, '([0-9])', '<\\1>') order by id separator '|')) from customers;
select sum(crc32(uncompress(compress(note)))) from customers;
select count(distinct a.amount), count(distinct b.city) from orders a, customers b where b.id = a.customer;

delimiter //
create procedure churn (rounds int)
begin
	declare i int default 0;
	while i < rounds do
		create temporary table scratch as select id, name, note from customers where id % 50 = i % 50;
		update scratch set note = concat(note, name);
		delete from scratch where id % 3 = 0;
		drop temporary table scratch;
		set i = i + 1;
	end while;
end//
create trigger keep_note before update on customers for each row set new.note = concat(left(old.note, 50), new.note)//
delimiter ;
call churn(60);
update customers set note = concat(note, '+') where id % 3 = 0;
start transaction;
update orders set payload = repeat('x', 9000) where id % 10 = 0;
delete from orders where id % 7 = 0;
rollback;
alter table orders add column extra varchar(20) default 'none', add key by_amount (amount);
optimize table customers;
prepare statement from 'select count(*), sum(amount) from orders where amount between ? and ?';
set @low = 10, @high = 500;
execute statement using @low, @high;
deallocate prepare statement;
select table_name, engine from information_schema.tables where table_schema = 't' order by table_name;
checksum table customers, orders;
