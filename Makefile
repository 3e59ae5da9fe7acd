# What each target does: README.rst. Every target does its own set-up.
.PHONY: help demo check test test-all up down bench constraints clean
STACK ?= embedded

help:
	@echo 'make demo | up | down | check | test | test-all | bench | constraints | clean'

demo:
	@deploy/demo.sh

up:
	@case '$(STACK)' in \
	  embedded) deploy/embedded.sh up ;; \
	  *) echo 'there is no stack "$(STACK)" yet; the embedded one is: make up' >&2; exit 2 ;; \
	esac

down:
	@deploy/embedded.sh down

check:
	@tests/check.sh

test:
	@tests/run.sh

test-all:
	@tests/run.sh

bench:
	@benchmarks/run.sh

constraints:
	@deploy/constraints.sh

clean:
	@deploy/clean.sh
