/* SPDX-License-Identifier: MIT */
/*
 * The exchange of a domain's table of functions while others call through it, by RCU (liburcu, flavour bp).
 *
 *   call / call          nothing in common
 *   call / set           a call through a user's table is a read section, in which the table is looked up; the setter waits
 *                        for a grace period after it has published the new one. A call by the built-in table is none: to be
 *                        left in that one is harmless, since it is never taken apart.
 *   set / set            a mutex
 *   take record / set    table_set_routes
 *
 * That the built-in table is in force is what the record's round says: it is not 0. So the fast path asks for nothing more
 * than what it loads anyway. Before a user's table is in force no record says so any more: else a block of it, got on a slow path, could
 * be freed on the fast one. docs/models/table_exchange.pml checks the protocol.
 */
#ifndef STRATA_DOMAIN_TABLE_H
#define STRATA_DOMAIN_TABLE_H

#include "domain_record.h"

#include <strata/domain.h>

/* Begins a call in the domain. NULL: the built-in table. Else the user's, until table_leave. */
const struct strata_domain_table *table_enter(unsigned domain);
void table_leave(void);

/* Makes a record's routes what they ought to be; the record is among those that record_count counts. */
void table_set_routes(struct domain_record *record);

void table_before_fork(void);
void table_after_fork_in_parent(void);
void table_after_fork_in_child(void);

#endif
