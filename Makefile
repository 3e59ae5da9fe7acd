# What each target does: README.rst. Every target does its own set-up.
.PHONY: help demo check test test-all soak proof up down bench constraints clean
STACK ?= embedded

help:
	@echo 'make demo | up | down | check | test | test-all | soak | proof | bench | constraints | clean'

demo:
	@deploy/demo.sh

up:
	@case '$(STACK)' in \
	  embedded|openstack) deploy/$(STACK).sh up ;; \
	  *) echo 'STACK is embedded or openstack, not "$(STACK)"' >&2; exit 2 ;; \
	esac

down:
	@deploy/$$(cat .run/stack 2>/dev/null || echo embedded).sh down

check:
	@tests/check.sh

test:
	@tests/run.sh

test-all:
	@tests/run.sh all

soak:
	@MINUTES='$(MINUTES)' SEED='$(SEED)' tests/soak.sh

proof:
	@HISTORIES='$(HISTORIES)' ROUNDS='$(ROUNDS)' tests/proof.sh

bench:
	@benchmarks/run.sh

constraints:
	@deploy/constraints.sh

clean:
	@deploy/clean.sh
