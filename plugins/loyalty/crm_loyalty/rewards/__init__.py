"""What points are spent on: rewards with their stock, voucher codes and redemptions."""
