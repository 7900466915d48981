# SPDX-License-Identifier: LGPL-2.1-or-later
# How Makefiles here show what they do: "  CC      file" in front of a command that is not shown,
# or with V=1 the whole command: $(call quiet,CC,file)command

quiet = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' $(1) $(2);)
Q = $(if $(filter 1,$(V)),,@)
