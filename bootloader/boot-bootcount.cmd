# SPDX-License-Identifier: Apache-2.0
#
# boot-bootcount.cmd: which slot boots, by a slot variable and U-Boot's own boot counter (contract
# `bootcount`).
#
#     mkimage -A arm64 -T script -C none -d boot-bootcount.cmd boot.scr
#
# U-Boot (CONFIG_BOOTCOUNT_ENV) counts and saves only while upgrade_available is 1, so an ordinary
# boot writes nothing. When it has counted more boots than bootlimit it runs altbootcmd instead of
# bootcmd. The built-in environment holds
#
#     altbootcmd=vv_fallback=yes; run bootcmd
#
# where vv_fallback is a variable of the shell: saveenv does not save it, and this script sees it.
#
# Written for every hush parser U-Boot has had; boot-order.cmd says what that means. The slot
# variable is rpipart here; with another `slot_var` in vv-update's configuration, replace the name
# in the marked section and wherever it stands behind setenv.

# --- this board -------------------------------------------------------------------------------
# The slot variable's value for each slot; here also the number of its partition. Partition labels
# are rootfs-a and rootfs-b.
vv_value_a=2
vv_value_b=3
vv_value="${rpipart}"
vv_device="mmc 0"
vv_part_a=2
vv_part_b=3
# ----------------------------------------------------------------------------------------------

vv_args="${bootargs}"

# Too many boots without a confirmation: back to the slot that is not on trial. It is named and
# never toggled: a cut between two runs of this would toggle back. One saveenv; vv_trial stays: by
# it Linux sees that the trial fell through.
if test -n "${vv_fallback}"; then
	if test "${vv_trial}" = "a"; then
		setenv rpipart ${vv_value_b}
		vv_value=${vv_value_b}
	fi
	if test "${vv_trial}" = "b"; then
		setenv rpipart ${vv_value_a}
		vv_value=${vv_value_a}
	fi
	setenv upgrade_available 0
	setenv bootcount 0
	setenv filesize
	setenv fileaddr
	saveenv
fi

# The slot the variable names. The other one is tried behind it only when the first is on trial, or
# when the variable names none: a lost environment must not make the whole slot unreachable when
# the other is half written (which has no file system and cannot be started).
if test "${vv_value}" = "${vv_value_a}"; then
	vv_slots="a"
	if test "${vv_trial}" = "a"; then
		vv_slots="a b"
	fi
elif test "${vv_value}" = "${vv_value_b}"; then
	vv_slots="b"
	if test "${vv_trial}" = "b"; then
		vv_slots="b a"
	fi
else
	vv_slots="a b"
fi

for vv_slot in ${vv_slots}; do
	if test "${vv_slot}" = "a"; then
		vv_name=A
		vv_part=${vv_part_a}
	else
		vv_name=B
		vv_part=${vv_part_b}
	fi
	# U-Boot has saved its count of a trial, and not looked whether that worked. Boots that cannot
	# be counted never run out: a trial is not made then.
	vv_saved=yes
	if test "${vv_trial}" = "${vv_slot}"; then
		if test "${upgrade_available}" = "1"; then
			setenv filesize
			setenv fileaddr
			if saveenv; then
				vv_saved=yes
			else
				vv_saved=no
			fi
		fi
	fi
	if test "${vv_saved}" = "yes"; then
		echo "Booting slot ${vv_slot}"
		vv_says="root=PARTLABEL=rootfs-${vv_slot} vv.slot=${vv_slot} rauc.slot=${vv_name}"
		# So that the system knows it even when vv-update cannot be asked.
		if test "${vv_trial}" = "${vv_slot}"; then
			vv_says="${vv_says} vv.trial"
		fi
		setenv bootargs "${vv_args} ${vv_says}"
		# The board's commands to arm a hardware watchdog, if it has one.
		if test -n "${vv_watchdog}"; then
			run vv_watchdog
		fi
		if test -n "${vv_start}"; then
			# The board's own way to load and start; returns when that failed.
			run vv_start
		else
			if load ${vv_device}:${vv_part} ${kernel_addr_r} /boot/Image; then
				if load ${vv_device}:${vv_part} ${fdt_addr_r} /boot/board.dtb; then
					booti ${kernel_addr_r} - ${fdt_addr_r}
				fi
			fi
		fi
		echo "Slot ${vv_slot} cannot be started"
		# As it was, for the next saveenv.
		if test -n "${vv_args}"; then
			setenv bootargs "${vv_args}"
		else
			setenv bootargs
		fi
	else
		echo "vv: the attempt cannot be saved; slot ${vv_slot} is on trial and passed over"
	fi
done

# Nothing started: again, counted by U-Boot during a trial, so that altbootcmd ends it. Without a
# trial there is no attempt to use up and no other slot that may run: what failed to load is tried
# again, and nothing is written meanwhile.
reset
