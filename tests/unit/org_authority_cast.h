/* Tests of authority: an organization with one or two of each role. */
#ifndef ORG_AUTHORITY_CAST_H
#define ORG_AUTHORITY_CAST_H
#include "tests/unit/org_authority_kit.h"

KIT struct world w;
KIT struct person owner, admin, admin2, manager, member1, member2, viewer;

KIT int start(void **state)
{
	(void)state;
	owner = person_of(1);
	admin = person_of(2);
	admin2 = person_of(3);
	manager = person_of(4);
	member1 = person_of(5);
	member2 = person_of(6);
	viewer = person_of(7);
	world_start(&w, &owner, true);
	join(&w, &owner, &admin, 2, ROLE_ADMIN);
	join(&w, &owner, &admin2, 3, ROLE_ADMIN);
	join(&w, &admin, &manager, 4, ROLE_MANAGER);
	join(&w, &admin, &member1, 5, ROLE_MEMBER);
	join(&w, &admin, &member2, 6, ROLE_MEMBER);
	join(&w, &admin, &viewer, 7, ROLE_VIEWER);
	return 0;
}

KIT int end(void **state)
{
	(void)state;
	world_end(&w);
	return 0;
}

KIT struct act_body none;

KIT struct act_body on_member(const struct person *p)
{
	return (struct act_body){ .member = p->root.id };
}

KIT struct act_body on_device(const struct person *p)
{
	return (struct act_body){ .device = p->device.id };
}

KIT enum err may(const struct person *p, enum act_kind kind, struct act_body b)
{
	return authority_may(w.a, ACT_DEVICE, &p->device.id, kind, &b);
}

KIT bool in_team(unsigned team, const struct person *p)
{
	const struct id16 id = id16_of(team);

	return state_in_team(state_team(now(&w), &id), &p->root.id);
}

KIT const struct invite *invite_of(unsigned number)
{
	const struct id32 key = invite_key(number).id;

	return state_invite(now(&w), &key);
}

/* The one head there is. */
KIT struct cites here(void)
{
	struct cites c = { 0, {{{ 0 }}} };

	c.n = authority_heads(w.a, c.ids, LIMIT_HEADS);
	assert_int_equal(c.n, 1);
	return c;
}

#endif
