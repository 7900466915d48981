# SPDX-License-Identifier: GPL-2.0
# How Makefiles here show what they do: "  CC      file" in front of a command that is not shown,
# or with V=1 the whole command: $(call quiet,CC,file)command

quiet = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' $(1) $(2);)
Q = $(if $(filter 1,$(V)),,@)
