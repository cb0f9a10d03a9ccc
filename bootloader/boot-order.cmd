# SPDX-License-Identifier: Apache-2.0
#
# boot-order.cmd: which slot boots, by the variables BOOT_ORDER and BOOT_x_LEFT (contract `order`).
#
#     mkimage -A arm64 -T script -C none -d boot-order.cmd boot.scr
#
# Written for every hush parser U-Boot has had, so:
# - names without `setenv` are variables of the shell: saveenv, which saves all there is, does not
#   save them. What must be saved, and only that, is set with setenv.
# - a variable of the shell is never made empty: `x=` leaves it as it was. Hence the words none,
#   yes and no.
# - `for` takes its list without quotes: with quotes one parser makes one word of it.
# - values from the environment stand in quotes in `test` and `setexpr`: they may be empty or odd.
# - numbers of attempts are hexadecimal (setexpr knows nothing else, and RAUC writes them so); below
#   ten that is decimal as well, and vv-update never writes more.
# - no `&` and no `;` where a parser might take it for more than a separator, no functions, and no
#   `elif` in a loop: one parser leaves the loop there.
#
# A variable vv_watchdog, if there is one, holds the board's commands to arm a hardware watchdog; it
# runs before each attempt, so that one that hangs is given up like one that panics.

# --- this board -------------------------------------------------------------------------------
# Attempts a slot gets; the same number as `attempts` in vv-update's [bootloader] section.
vv_attempts=3
# Where the slots are. Partition labels are rootfs-a and rootfs-b.
vv_device="mmc 0"
vv_part_a=2
vv_part_b=3
# ----------------------------------------------------------------------------------------------

vv_args="${bootargs}"

# A fresh or lost environment has none of these. Each default stands for itself, so that attempts
# that are there are not given back.
test -n "${BOOT_ORDER}" || setenv BOOT_ORDER A B
test -n "${BOOT_A_LEFT}" || setenv BOOT_A_LEFT ${vv_attempts}
test -n "${BOOT_B_LEFT}" || setenv BOOT_B_LEFT ${vv_attempts}

# The first name with attempts left. An attempt is used up and saved before it is made: whatever
# happens then, it is counted. When the slot cannot be started (a half-written one has no file
# system) the loop goes on to the next name. Other names than A and B are passed over: they belong
# to whoever put them there.
for vv_name in ${BOOT_ORDER}; do
	vv_slot=none
	if test "${vv_name}" = "A"; then
		if test "0x${BOOT_A_LEFT}" -gt 0; then
			setexpr BOOT_A_LEFT "${BOOT_A_LEFT}" - 1
			vv_slot=a
			vv_part=${vv_part_a}
		fi
	fi
	if test "${vv_name}" = "B"; then
		if test "0x${BOOT_B_LEFT}" -gt 0; then
			setexpr BOOT_B_LEFT "${BOOT_B_LEFT}" - 1
			vv_slot=b
			vv_part=${vv_part_b}
		fi
	fi
	if test "${vv_slot}" != "none"; then
		# load and U-Boot's boot counter leave these behind; they are nobody's settings.
		setenv filesize
		setenv fileaddr
		setenv bootcount
		if saveenv; then
			vv_saved=yes
		else
			vv_saved=no
		fi
		# Attempts that cannot be counted never run out: a trial is not made then.
		if test "${vv_saved}" = "no"; then
			if test "${vv_trial}" = "${vv_slot}"; then
				echo "vv: the attempt cannot be saved; slot ${vv_slot} is on trial and passed over"
				vv_slot=none
			fi
		fi
	fi
	if test "${vv_slot}" != "none"; then
		echo "Booting slot ${vv_slot}"
		vv_says="root=PARTLABEL=rootfs-${vv_slot} vv.slot=${vv_slot} rauc.slot=${vv_name}"
		# So that the system knows it even when vv-update cannot be asked.
		if test "${vv_trial}" = "${vv_slot}"; then
			vv_says="${vv_says} vv.trial"
		fi
		setenv bootargs "${vv_args} ${vv_says}"
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
	fi
done

# Nothing started. Every slot in BOOT_ORDER gets its attempts back, except the one on trial: that
# one leaves BOOT_ORDER, so it cannot come back without a decision of Linux. vv_trial stays: by it
# Linux sees that the trial fell through.
vv_order=" "
vv_any=no
for vv_name in ${BOOT_ORDER}; do
	vv_keep=yes
	if test "${vv_name}" = "A"; then
		if test "${vv_trial}" = "a"; then
			vv_keep=no
		else
			vv_any=yes
			setenv BOOT_A_LEFT ${vv_attempts}
		fi
	fi
	if test "${vv_name}" = "B"; then
		if test "${vv_trial}" = "b"; then
			vv_keep=no
		else
			vv_any=yes
			setenv BOOT_B_LEFT ${vv_attempts}
		fi
	fi
	if test "${vv_keep}" = "yes"; then
		vv_order="${vv_order} ${vv_name}"
	fi
done

if test "${vv_any}" = "yes"; then
	setenv BOOT_ORDER ${vv_order}
	setenv filesize
	setenv fileaddr
	setenv bootcount
	saveenv
	reset
else
	# Nothing is saved: an empty BOOT_ORDER would mean every slot at the next power-on.
	echo "vv: BOOT_ORDER names no slot that may be tried again"
fi
