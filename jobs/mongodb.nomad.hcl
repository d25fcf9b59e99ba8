# MongoDB: the document store, of the product service. Runs a mongod, or FerretDB (MongoDB's protocol on SQLite)
# where no mongod can be had: `kind` says which, and is fixed when a stack is created.
# Data: data_dir/mongod or data_dir/ferretdb; the two can't read each other's.
# Secrets, of a mongod only: Nomad Variable nomad/jobs/mongodb, items root_password and product_password. This FerretDB
# has no authentication.

variable "datacenter" {
  type        = string
  description = "Nomad datacenter of the stack."
}

variable "driver" {
  type        = string
  default     = "raw_exec"
  description = "Nomad task driver. Attributes of other drivers go into `config` as null where they do not apply."
  validation {
    condition     = var.driver == "raw_exec"
    error_message = "Only the embedded substrate (driver raw_exec) exists so far."
  }
}

variable "setpriv" {
  type        = string
  default     = "/usr/bin/setpriv"
  description = "Absolute path of setpriv: it makes the kernel end a task whose executor has died."
}

variable "data_dir" {
  type        = string
  description = "Absolute path of this job's own data folder; it outlives the job."
}

variable "perl" {
  type        = string
  default     = "/usr/bin/perl"
  description = "Absolute path of perl (Debian's perl-base is enough)."
}

variable "probe" {
  type        = string
  description = "Absolute path of jobs/probe.pl, the health check."
}

variable "kind" {
  type        = string
  description = "Which server: mongod or ferretdb."
  validation {
    condition     = contains(["mongod", "ferretdb"], var.kind)
    error_message = "The kind is mongod or ferretdb."
  }
}

variable "binary" {
  type        = string
  description = "Absolute path of the server."
}

variable "port" {
  type        = number
  description = "Port of the MongoDB protocol."
}

variable "node" {
  type        = string
  default     = ""
  description = "Absolute path of node, for the provisioning; unused by ferretdb."
}

variable "provision_url" {
  type        = string
  default     = ""
  description = "URL of the bundle of jobs/provision/mongodb.ts; unused by ferretdb."
}

variable "provision_digest" {
  type        = string
  default     = ""
  description = "SHA-256 of that bundle in hexadecimal."
}

variable "cpu" {
  type        = number
  default     = 200
  description = "CPU reservation in MHz, the share under contention."
}

variable "memory" {
  type        = number
  default     = 0
  description = "Memory in MiB: the reservation, and the limit where Nomad may use cgroups (agent run by root). 0 for what the kind needs."
}

job "mongodb" {
  type        = "service"
  datacenters = [var.datacenter]

  ui {
    description = "${var.kind == "mongod" ? "MongoDB" : "FerretDB in MongoDB's place"}, for the product service. Documents are in `${var.data_dir}`."
  }

  update {
    max_parallel      = 1
    health_check      = "checks"
    min_healthy_time  = "0s"
    healthy_deadline  = "3m"
    progress_deadline = "4m"
  }

  # For failures outside a task (a hook of the allocation): tasks themselves restart in place, see `restart`.
  reschedule {
    delay          = "5s"
    delay_function = "constant"
    unlimited      = true
  }

  group "mongodb" {
    network {
      port "mongodb" {
        static = var.port
      }
    }

    service {
      name = "mongodb"
      port = "mongodb"

      meta {
        server      = var.kind == "mongod" ? "mongod" : "FerretDB"
        standsInFor = var.kind == "mongod" ? "" : "MongoDB" # Empty: the real one.
      }

      # The command `hello`, which needs no login.
      check {
        name     = "mongodb answers"
        type     = "script"
        task     = "mongodb"
        command  = var.perl
        args     = [var.probe, "mongodb", "127.0.0.1", "${var.port}"]
        interval = "2s"
        timeout  = "5s"
        check_restart {
          limit = 3
          grace = "60s"
        }
      }

      # Ready once the users are made; making them again is not a reason to restart.
      dynamic "check" {
        for_each = var.kind == "mongod" ? ["provisioned"] : []
        content {
          name     = "mongodb users made"
          type     = "script"
          task     = "mongodb"
          command  = "/usr/bin/test"
          args     = ["-f", "../alloc/data/provisioned"] # From the task's folder; a check knows no NOMAD_ALLOC_DIR.
          interval = "2s"
          timeout  = "5s"
        }
      }
    }

    # Never gives up: after the attempts it waits for the next interval, which is short for that reason.
    restart {
      attempts = 5
      interval = "15s"
      delay    = "1s"
      mode     = "delay"
    }

    ephemeral_disk {
      size = 100
    }

    task "mongodb" {
      driver       = var.driver
      kill_signal  = "SIGTERM"
      kill_timeout = "20s"

      config {
        command = var.setpriv
        args    = ["--pdeathsig", "KILL", "--", "/bin/sh", "local/start.sh"]
      }

      env {
        DATA_DIR   = var.data_dir
        KIND       = var.kind
        SERVER     = var.binary
        MONGO_PORT = "${var.port}"
      }

      template {
        destination = "local/start.sh"
        change_mode = "restart"
        data        = <<-EOT
          set -eu
          data=$DATA_DIR/$KIND
          mkdir -p "$data"
          case $KIND in
          mongod)
            # journalCommitInterval bounds what a kill can lose of writes that did not ask for {j: true}.
            exec "$SERVER" --dbpath "$data" --bind_ip 127.0.0.1 --port "$MONGO_PORT" --auth --nounixsocket \
              --wiredTigerCacheSizeGB 0.25 --journalCommitInterval 10 --setParameter diagnosticDataCollectionEnabled=false
            ;;
          ferretdb)
            exec "$SERVER" -listen-addr "127.0.0.1:$MONGO_PORT" -state-dir "$data"
            ;;
          esac
        EOT
      }

      logs {
        max_files     = 3
        max_file_size = 5
      }

      resources {
        cpu = var.cpu
        # The smallest cache that mongod allows is 256 MiB.
        memory = var.memory > 0 ? var.memory : var.kind == "mongod" ? 448 : 128
      }
    }

    dynamic "task" {
      for_each = var.kind == "mongod" ? ["provision"] : []
      labels   = [task.value]
      content {
        driver = var.driver

        lifecycle {
          hook    = "poststart"
          sidecar = false
        }

        artifact {
          source      = var.provision_url
          destination = "local"
          options {
            checksum = "sha256:${var.provision_digest}"
          }
        }

        config {
          command = var.setpriv
          args    = ["--pdeathsig", "KILL", "--", var.node, "local/main.js"]
        }

        env {
          MONGODB_PORT = "${var.port}"
          DONE_FILE    = "${NOMAD_ALLOC_DIR}/data/provisioned"
        }

        template {
          destination = "secrets/provision.env"
          perms       = "0600"
          env         = true
          change_mode = "restart"
          data        = <<-EOT
            {{ with nomadVar "nomad/jobs/mongodb" }}
            ROOT_PASSWORD={{ .root_password }}
            PRODUCT_PASSWORD={{ .product_password }}
            {{ end }}
          EOT
        }

        logs {
          max_files     = 2
          max_file_size = 1
        }

        resources {
          cpu    = 50
          memory = 96
        }
      }
    }
  }
}
